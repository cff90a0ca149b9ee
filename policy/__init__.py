"""The generator: prompts and tokenizers, engines that sample steps, retraining."""
