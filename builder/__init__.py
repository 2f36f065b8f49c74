"""The compiler: the files of a revision become a plan, and the plan becomes an environment. Knows no Space, user, database
or queue; everything it needs comes in a request, everything it found goes out in a result (`python -m builder`)."""
