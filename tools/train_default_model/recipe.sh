#!/bin/bash
# The whole way from text to model, as the committed one was made: about 20 minutes on one large CUDA GPU.
#   recipe.sh <folder of sources> <work folder>
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
text=$1 work=$2
train="python3 $here/train.py --data $work/data --out $work/weights"
python3 "$here/prepare.py" --text "$text" --out "$work/data"
$train --runs "$here/runs/1-teachers.json" --workers 4
$train --predict S1,S2,S4,M4,M5,M6,T7,T8
$train --runs "$here/runs/2-student.json"
$train --runs "$here/runs/3-teachers.json" --workers 4
$train --predict S1,S2,S5,S6,M4,M6,M7,M8,K4
$train --runs "$here/runs/4-student.json" --tokenizer "$work/data/tokenizer.model"
python3 "$here/export.py" --checkpoint "$work/weights/F1.npz" --tokenizer "$work/data/tokenizer.model" \
  --q8 "$here/../../models/weft-stories-7m-q8_0.gguf" --f32 "$work/default-f32.gguf"
python3 "$here/check_export.py" --checkpoint "$work/weights/F1.npz" --q8 "$here/../../models/weft-stories-7m-q8_0.gguf" \
  --f32 "$work/default-f32.gguf" --tokenizer "$work/data/tokenizer.model" --valid "$work/data/valid.npz" --write "$here/reference.json"
