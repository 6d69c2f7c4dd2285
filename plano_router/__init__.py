"""The intent router: reads what a request asks for, and says how well each configured route suits it."""
