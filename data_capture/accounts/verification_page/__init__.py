"""The page that a mailed link opens."""

from data_capture.accounts.verification_page.page import (
    PAGE_FILES,
    page_file_response,
    page_response,
)

__all__ = ["PAGE_FILES", "page_file_response", "page_response"]
