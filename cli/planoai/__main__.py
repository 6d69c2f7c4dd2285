"""`python -m planoai`."""

from planoai.main import main

main()
