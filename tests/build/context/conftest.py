"""A store of the test's own."""

from tests.storage.conftest import store as store
