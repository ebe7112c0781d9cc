"""Every rule: its name, what it is about, what it says, where it is explained."""

from __future__ import annotations

from rootless.record import Record

_URL = "https://docs.docker.com/go/dockerfile/rule/"


class Rule(Record):
    """`detail` is filled in by str.format with what was found."""

    name: str
    description: str
    detail: str
    experimental: bool = False

    @property
    def url(self) -> str:
        """The page of Docker's reference; StageNameCasing becomes stage-name-casing."""
        if self.name == "InvalidBaseImagePlatform":
            return ""
        word = self.name.replace("JSONArgs", "JsonArgs")
        return (
            _URL
            + "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in word).lstrip("-")
            + "/"
        )


_ALL = (
    Rule("StageNameCasing", "Stage names should be lowercase", "Stage name '{}' should be lowercase"),
    Rule(
        "FromAsCasing",
        "The 'as' keyword should match the case of the 'from' keyword",
        "'{}' and '{}' keywords' casing do not match",
    ),
    Rule(
        "NoEmptyContinuation",
        "Empty continuation lines will become errors in a future release",
        "Empty continuation line",
    ),
    Rule(
        "ConsistentInstructionCasing",
        "All commands within the Dockerfile should use the same casing (either upper or lower)",
        "Command '{}' should match the case of the command majority ({})",
    ),
    Rule(
        "DuplicateStageName",
        "Stage names should be unique",
        'Duplicate stage name "{}", stage names should be unique',
    ),
    Rule(
        "ReservedStageName",
        "Reserved words should not be used as stage names",
        'Stage name should not use the same name as reserved stage "{}"',
    ),
    Rule(
        "JSONArgsRecommended",
        "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
        "JSON arguments recommended for {} to prevent unintended behavior related to OS signals",
    ),
    Rule(
        "MaintainerDeprecated",
        "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
        "Maintainer instruction is deprecated in favor of using label",
    ),
    Rule("UndefinedArgInFrom", "FROM command must use declared ARGs", "FROM argument '{}' is not declared{}"),
    Rule(
        "WorkdirRelativePath",
        "Relative workdir without an absolute workdir declared within the build can have unexpected results"
        " if the base image changes",
        'Relative workdir "{}" can have unexpected results if the base image changes',
    ),
    Rule(
        "UndefinedVar", "Variables should be defined before their use", "Usage of undefined variable '${}'{}"
    ),
    Rule(
        "MultipleInstructionsDisallowed",
        "Multiple instructions of the same type should not be used in the same stage",
        "Multiple {} instructions should not be used in the same stage because only the last one will be used",
    ),
    Rule(
        "LegacyKeyValueFormat",
        "Legacy key/value format with whitespace separator should not be used",
        '"{0} key=value" should be used instead of legacy "{0} key value" format',
    ),
    Rule(
        "InvalidBaseImagePlatform",
        "Base image platform does not match expected target platform",
        'Base image {} was pulled with platform "{}", expected "{}" for current build',
    ),
    Rule(
        "RedundantTargetPlatform",
        "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
        "Setting platform to predefined {} in FROM is redundant as this is the default behavior",
    ),
    Rule(
        "SecretsUsedInArgOrEnv",
        "Sensitive data should not be used in the ARG or ENV commands",
        'Do not use ARG or ENV instructions for sensitive data ({} "{}")',
    ),
    Rule(
        "InvalidDefaultArgInFrom",
        "Default value for global ARG results in an empty or invalid base image name",
        "Default value for ARG {} results in empty or invalid base image name",
    ),
    Rule(
        "FromPlatformFlagConstDisallowed",
        "FROM --platform flag should not use a constant value",
        'FROM --platform flag should not use constant value "{}"',
    ),
    Rule(
        "CopyIgnoredFile",
        "Attempting to Copy file that is excluded by .dockerignore",
        'Attempting to {} file "{}" that is excluded by .dockerignore',
        experimental=True,
    ),
    Rule(
        "InvalidDefinitionDescription",
        "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`."
        " If this is not intended to be a description comment, add an empty line or comment between the instruction"
        " and the comment.",
        "Comment for {} should follow the format: `# {} <description>`",
        experimental=True,
    ),
    Rule(
        "ExposeProtoCasing",
        "Protocol in EXPOSE instruction should be lowercase",
        "Defined protocol '{}' in EXPOSE instruction should be lowercase",
    ),
    Rule(
        "ExposeInvalidFormat",
        "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release",
        "EXPOSE instruction should not define an IP address or host-port mapping, found '{}'",
    ),
)
RULES = {rule.name: rule for rule in _ALL}
