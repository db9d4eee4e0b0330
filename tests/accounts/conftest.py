"""Fixtures of the account tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.mailing import ServicesWithMail


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicesWithMail]:
    """Both services over one database, where sign-ups need confirmation by mail.

    The login rate is high, because other tests cover it.
    """
    services = ServicesWithMail(tmp_path_factory.mktemp("mail"), EDC_LOGIN_RATE="300/minute")
    services.signup.start()
    services.capture.start()
    yield services
    services.close()
