"""Loads checkpoints that Quern wrote with the Auto classes of transformers, and lets them write.

    python check_written_folders.py [FOLDER]        needs torch, transformers, tokenizers (made with 2.13, 5.18)

FOLDER (default: ../resources/golden/written) holds gpt2, llama and mistral: Hugging Face folders, and the bytes that
WrittenFoldersTest expects of Quern. Checked: the class, that every tensor of the model and no other was in the file,
and that the tokenizer encodes and decodes. Written:

    greedy.json     for each folder and prompt the text of up to 24 greedy tokens, without end-of-text; an empty
                    prompt is the end-of-text token. Computed in float64; printed is by how much the likeliest token
                    was ahead at the closest decision.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

CLASSES = {"gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM"}
PROMPTS = ["the cat", "", "naïve 😀 and the dogs;"]


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "../resources/golden/written"
    greedy = {}
    for name, expected in CLASSES.items():
        model, info = AutoModelForCausalLM.from_pretrained(root / name, output_loading_info=True)
        assert type(model).__name__ == expected, type(model)
        for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            assert not info[problem], (name, problem, info[problem])
        tokenizer = AutoTokenizer.from_pretrained(root / name)
        text = "the cats, naïve <|endoftext|>"
        ids = tokenizer(text).input_ids
        assert tokenizer.decode(ids) == text
        assert ids[-1] == tokenizer.eos_token_id == model.generation_config.eos_token_id == 0
        model = model.double()
        greedy[name] = []
        for prompt in PROMPTS:
            ids = torch.tensor([tokenizer(prompt).input_ids or [tokenizer.eos_token_id]])
            out = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=24,
                do_sample=False,
                pad_token_id=0,
                output_logits=True,
                return_dict_in_generate=True,
            )
            tokens = [token for token in out.sequences[0, ids.shape[1] :].tolist() if token != 0]
            best = torch.stack(out.logits).topk(2).values
            print(name, repr(prompt), tokens, "closest decision: %.1e" % (best[..., 0] - best[..., 1]).min())
            greedy[name].append({"prompt": prompt, "tokens": tokens, "text": tokenizer.decode(tokens)})
    (root / "greedy.json").write_text(json.dumps(greedy, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
