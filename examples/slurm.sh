#!/usr/bin/env bash
# A recipe on a shared cluster: sbatch examples/slurm.sh residual --precision bf16
# Change the lines below to what your cluster offers, and submit from the repository's
# root. A job that was stopped is put into the queue again and goes on where it was.
#SBATCH --job-name=ddl
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=results/%x-%j.log
set -eu

# Compute nodes often have no network: put the data there beforehand, and say where.
# export DDL_DATA=$HOME/data
export DDL_PROGRESS=0 # a bar would fill the log
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

# One torchrun a machine starts a process for each of its GPUs; they meet at the first.
srun .venv/bin/torchrun \
  --nnodes "$SLURM_NNODES" \
  --nproc-per-node "$SLURM_GPUS_ON_NODE" \
  --rdzv-id "$SLURM_JOB_ID" \
  --rdzv-backend c10d \
  --rdzv-endpoint "$first:29500" \
  -m ddl.recipes "$@"
