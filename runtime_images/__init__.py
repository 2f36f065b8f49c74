"""What runs inside, or as the parent of, every app. Each module is one file of the standard library that runs by itself."""
