"""Parts that every room uses: parameters, batches, devices and files."""
