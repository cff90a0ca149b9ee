import os

import pytest

from mcts.errors import InputError
from policy.devices import VISIBLE, named, visible
from policy.vllm_settings import VllmSettings


def test_devices_are_counted_among_those_that_are_ours(monkeypatch):
    monkeypatch.delenv(VISIBLE, raising=False)
    assert named([2, 3], "here") == "2,3"
    monkeypatch.setenv(VISIBLE, "4,GPU-a,6")
    assert named([1, 2], "here") == "GPU-a,6"
    with pytest.raises(InputError, match=r"^dist.gpus: asks for device 3, expected less than 3"):
        named([3], "dist.gpus")


@pytest.mark.parametrize("before", [None, "4,5"])
def test_a_process_started_inside_sees_some_and_later_ones_all(before, monkeypatch):
    monkeypatch.delenv(VISIBLE, raising=False)
    if before:
        monkeypatch.setenv(VISIBLE, before)
    with visible([1], "here"):
        assert os.environ[VISIBLE] == ("5" if before else "1")
    assert os.environ.get(VISIBLE) == before
    with visible([], "here"):
        assert os.environ.get(VISIBLE) == before


def test_an_engine_s_devices_are_read_and_are_no_part_of_what_decides_replies():
    assert VllmSettings(devices="2,3").device_numbers == [2, 3]
    assert VllmSettings().device_numbers == []
    assert repr(VllmSettings(devices="1")) == repr(VllmSettings())
    with pytest.raises(ValueError, match="devices=a,1, expected numbers"):
        VllmSettings(devices="a,1")
