# === L00.two_plus_two | wrong | prints instead of returning | The sum is printed and None is returned. | wrong at: the only call
def two_plus_two():
    print(2 + 2)
