"""A user's own project, at no cloud or at the session's."""

import pytest
from builders import ROOT
from local_project import Project


@pytest.fixture
def lone_project(tmp_path):
    """A project with the repository's example workflows, which knows of no cloud."""
    project = Project.in_folder(tmp_path)
    for source in sorted((ROOT / "workflows").iterdir()):
        project.add_workflow(source)
    return project
