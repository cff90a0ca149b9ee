"""To the Hugging Face hub, when asked and only then."""

from __future__ import annotations

from pathlib import Path

from mcts.errors import InputError, first_line

MODEL_FILES = ("config.json", "adapter_config.json")


def push(folder: Path, name: str) -> str:
    """Upload `folder` as it is: a model if it has a model's configuration, else a data set. New ones are private.

    The token is the environment's (`HF_TOKEN`) or that of `hf auth login`, the hub that of `HF_ENDPOINT`.

    Returns:
        Where it is now.

    Raises:
        InputError: There is nothing to push, the name cannot be, or the hub refuses or is out of reach.
    """
    from httpx2 import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if not folder.is_dir() or not any(folder.iterdir()):
        raise InputError(f"hub={name}: {folder} has no files, expected a folder to push")
    kind = "model" if any((folder / file).is_file() for file in MODEL_FILES) else "dataset"
    api = HfApi()
    try:
        place = api.create_repo(name, repo_type=kind, private=True, exist_ok=True)
        api.upload_folder(
            repo_id=place.repo_id, folder_path=folder, repo_type=kind, commit_message="Written by regrow export"
        )
    except (HfHubHTTPError, HFValidationError, HTTPError, OSError, ValueError) as error:
        raise InputError(f"hub={name}: {first_line(error)}, expected a repository you may write to") from error
    return str(place)
