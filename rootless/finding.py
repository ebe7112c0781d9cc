"""Something that a host does not give, and who can mend that: data of diagnoses, of errors and of `doctor`."""

from __future__ import annotations

from rootless.record import Record

ADMINISTRATOR = "ask the administrator for:"


class Finding(Record):
    """One fact about this host. Empty where there is nothing to do or say."""

    what: str  # the fact, one line
    effect: str = ""  # what does not work because of it
    fix_user: str = ""  # what the user can do without any rights
    fix_admin: str = ""  # what to ask the administrator for: exact commands or a file, may have several lines

    @property
    def hint(self) -> str:
        """Both fixes, as an error shows them."""
        admin = f"{ADMINISTRATOR}\n{self.fix_admin}" if self.fix_admin else ""
        return "\n".join(part for part in (self.fix_user, admin) if part)
