"""The stages of a Space: the label of a decision, computed and never stored as a cause. The words are the Hub's own
(`huggingface_hub._space_api.SpaceStage`), plus SLEEPING, which the Hub has on the wire too."""

from enum import StrEnum


class Stage(StrEnum):
    NO_APP_FILE = "NO_APP_FILE"  #: nothing was pushed yet, or the app file is not there
    CONFIG_ERROR = "CONFIG_ERROR"  #: the front matter of README.md cannot be used
    BUILDING = "BUILDING"  #: the environment is being made, nothing serves
    RUNNING_BUILDING = "RUNNING_BUILDING"  #: the same, while an older version serves
    BUILD_ERROR = "BUILD_ERROR"  #: the build failed; an older version may serve
    APP_STARTING = "APP_STARTING"  #: the app was launched and does not answer yet
    RUNNING_APP_STARTING = "RUNNING_APP_STARTING"  #: the same, while an older version serves
    RUNNING = "RUNNING"  #: the wanted version answers
    RUNTIME_ERROR = "RUNTIME_ERROR"  #: the app failed three times under this launch key
    SLEEPING = "SLEEPING"  #: nobody looked for `sleep_after`; any visit wakes it
    PAUSED = "PAUSED"  #: stopped by its owner, who alone starts it again
    DELETING = "DELETING"  #: being taken down


#: Stages that end by themselves.
INTERMEDIATE = frozenset(
    {Stage.BUILDING, Stage.RUNNING_BUILDING, Stage.APP_STARTING, Stage.RUNNING_APP_STARTING, Stage.DELETING}
)
