"""The HTTP face of the control plane, on the Hub's own paths with the Hub's own JSON. Thin: a route reads the request, calls
one service and shows the result (views.py); which error is which status is in problems.py and nowhere else."""
