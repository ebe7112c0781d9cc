"""The words of a command line: options, arguments, and what is refused or guessed."""
