"""`python -m brightstaff`."""

from brightstaff.main import main

main()
