# `sam build` with every package by its hash: sam_build.sh <sam> <environment of samconfig.toml> <runtime> <architecture>
# sam itself asks for the hashes of what this machine would run, and takes what another processor needs by its name. Here
# both are downloaded by their hashes first, and sam finds nothing else.
set -e
sam=$1 environment=$2 runtime=$3 architecture=$4
machine=$([ "$architecture" = arm64 ] && echo aarch64 || echo x86_64)
tag=cp3${runtime#python3.}
# Lambda's C library: python3.11 runs on Amazon Linux 2.
platforms="--platform manylinux2014_$machine --platform manylinux_2_17_$machine"
[ "$tag" = cp311 ] || platforms="$platforms --platform manylinux_2_28_$machine --platform manylinux_2_34_$machine"
wheels=$PWD/build/wheels
rm -rf "$wheels"
for file in functions/requirements.txt layers/*/requirements.txt; do
  "$runtime" -m pip download --quiet --require-hashes --no-deps --dest "$wheels" -r "$file"
  "$runtime" -m pip download --quiet --require-hashes --no-deps --dest "$wheels" -r "$file" \
    --only-binary=:all: $platforms --implementation cp --python-version "${runtime#python}" --abi "$tag" --abi abi3 --abi none
done
PIP_NO_INDEX=1 PIP_FIND_LINKS=$wheels "$sam" build --no-cached --config-env "$environment" \
  --parameter-overrides "ParameterKey=Runtime,ParameterValue=$runtime" "ParameterKey=Architecture,ParameterValue=$architecture"
