"""The one error that is the user's to mend."""


class InputError(ValueError):
    """Something given from outside cannot be used: the message is one line saying what, where, what was expected."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its kind where it has none, without a full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
