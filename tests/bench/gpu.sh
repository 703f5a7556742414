#!/bin/bash
# What docs/gpu.md reports, on a machine with a GPU: an archive of `cpack` is unpacked, the benches are run, with PyTorch
# beside them where python3 has it, and every kernel is compared with the reference.
#   gpu.sh ARCHIVE OUT [speed|kernels|sanitize]
# ARCHIVE: regimen-0.1.0-linux-x86_64.tar.gz; OUT receives the benches' JSON. Without a third argument speed, which takes
# some four minutes, and then kernels; `sanitize` is the comparison under compute-sanitizer, as far as ten minutes go.
# CUDA's libraries are looked for in $LD_LIBRARY_PATH, and else anywhere below /usr and /opt.
set -uo pipefail
archive=$1 out=${2:-$(mktemp -d)} what=${3:-}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$out"
tar xzf "$archive" -C "$tree" --strip-components=1 || exit 2
regimen=$tree/bin/regimen configs=$tree/share/regimen/configs
if [[ -z ${LD_LIBRARY_PATH:-} ]]; then
  LD_LIBRARY_PATH=$(find /usr /opt \( -name 'libcudnn.so.9' -o -name 'libcublasLt.so.1[23]' -o -name 'libcudart.so.1[23]' \) \
                    2>/dev/null | xargs -r -n1 dirname | sort -u | tr '\n' ':')
  export LD_LIBRARY_PATH
fi
said() { echo "== $* (${SECONDS} s)"; }

said plugin
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
"$regimen" plugins cudnn | head -12
"$regimen" plugins cudnn --kernels

if [[ $what == sanitize ]]; then
  for tool in memcheck racecheck; do
    said "compute-sanitizer $tool"  # blocks of their own, whose rims it then knows
    REGIMEN_CUDNN_SEPARATE_BLOCKS=1 timeout 280 compute-sanitizer --tool $tool \
      "$tree/lib/regimen/tests/conformance_tests" --gtest_filter='*Cudnn*' >"$out/$tool.txt" 2>&1
    echo "rc $?"
    tail -n 8 "$out/$tool.txt"
  done
  exit
fi

compare() {
  said kernels
  timeout 240 "$regimen" bench --kernels --backend cudnn
  said one process, and two, which share a GPU where there is one
  for n in 1 2; do
    timeout 60 "$regimen" run "$configs/quickstart.yaml" --backend cudnn --processes $n --out "$tree/processes-$n" 2>&1 |
      grep -E 'processes|: done|process [01]'
  done
}
if [[ $what == kernels ]]; then
  compare
  exit
fi

bench() {  # NAME ARGUMENTS: the result in OUT/NAME.json, its main numbers here
  local name=$1
  shift
  timeout 90 "$regimen" bench "$@" --backend cudnn >"$out/$name.json" || return
  grep -E '"(tokens_per_second|step_ms|model_gflops|peak_device_bytes|held_device_bytes|allocations|read_gigabytes_per_second|read_efficiency|row|weight_bytes|cache_bytes)"' "$out/$name.json" | tr -d '\n'
  echo
}
gpt2=("$configs/bench/gpt2-124m.yaml" --set stages.base.model.context=1024 --set stages.base.precision=bfloat16)
said GPT-2 124M, T 1024, B 32 and 64, where the time goes
bench gpt2-32 "${gpt2[@]}" --set stages.base.batch=32 --seconds 4
bench gpt2-32-uncaptured "${gpt2[@]}" --set stages.base.batch=32 --set backend.cudnn.capture=false --seconds 4
bench gpt2-32-unordered "${gpt2[@]}" --set stages.base.batch=32 --set backend.cudnn.deterministic=false --seconds 4
bench gpt2-32-as-peers "${gpt2[@]}" --set stages.base.batch=32 --set backend.cudnn.deterministic=false \
  --set backend.cudnn.logits=bfloat16 --seconds 4  # logits and the order of sums as in PyTorch
bench gpt2-64 "${gpt2[@]}" --set stages.base.batch=64 --seconds 4
bench gpt2-profile "${gpt2[@]}" --set stages.base.batch=32 --seconds 2 --profile
said a small model, where launches take the time: captured, and one by one
bench char "$configs/bench/char.yaml" --seconds 2
bench char-uncaptured "$configs/bench/char.yaml" --set backend.cudnn.capture=false --seconds 2
if python3 -c 'import torch' 2>/dev/null; then
  said PyTorch
  timeout 150 python3 "$(dirname "${BASH_SOURCE[0]}")/gpu_peers.py" --batch 32
fi
said decoding, 64 rows
bench decode "${gpt2[@]}" --decode 64 --seconds 2
bench decode-profile "${gpt2[@]}" --decode 64 --seconds 2 --profile
said LoRA of a Llama 3 8B shape
bench lora-8b "$configs/bench/lora-8b.yaml" --set stages.base.batch=4 --seconds 4
[[ $what == speed ]] || compare
said end
