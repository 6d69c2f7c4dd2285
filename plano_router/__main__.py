"""`python -m plano_router`."""

from plano_router.main import main

main()
