print("The front matter says app.py, and this is main.py.")
