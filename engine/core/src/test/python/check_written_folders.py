"""Loads checkpoints that Quern wrote with the Auto classes of transformers and checks what they say.

    python check_written_folders.py [FOLDER]        needs torch, transformers, tokenizers (last run with 2.13, 5.18)

FOLDER (default: ../resources/golden/written) holds gpt2, llama and mistral: Hugging Face folders, and the bytes that
WrittenFoldersTest expects of Quern. Checked: the class, that every tensor of the model and no other was in the file,
that the model continues a prompt, and that the tokenizer encodes and decodes.
"""

import sys
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer

CLASSES = {"gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM"}


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "../resources/golden/written"
    for name, expected in CLASSES.items():
        folder = root / name
        model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
        assert type(model).__name__ == expected, type(model)
        for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            assert not info[problem], (name, problem, info[problem])
        tokenizer = AutoTokenizer.from_pretrained(folder)
        text = "the cats, naïve <|endoftext|>"
        ids = tokenizer(text, return_tensors="pt")
        assert tokenizer.decode(ids.input_ids[0]) == text
        assert ids.input_ids[0, -1] == tokenizer.eos_token_id == model.generation_config.eos_token_id == 0
        out = model.generate(**ids, max_new_tokens=5, do_sample=False, pad_token_id=0)
        print(name, "loaded:", sum(p.numel() for p in model.parameters()), "parameters,", model.dtype, out[0].tolist())
        print("   ", model.config.to_diff_dict())


if __name__ == "__main__":
    main()
