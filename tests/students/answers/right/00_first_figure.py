# === L00.two_plus_two | right | a length | Counts letters.
def two_plus_two():
    return len("four")
