"""What the environment says inside of a batch job in which a sweep is started as a single process."""

BATCH_JOBS = {
    "slurm": {
        "SLURM_NTASKS": "4",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NPROCS": "4",
        "SLURM_PROCID": "3",
        "SLURM_LOCALID": "1",
        "SLURM_NODEID": "1",
        "SLURM_STEP_ID": "0",
    },
    "torchrun": {
        "RANK": "1",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "GROUP_RANK": "0",
        "MASTER_ADDR": "no.such.host",
        "MASTER_PORT": "1",
        "TORCHELASTIC_RUN_ID": "none",
    },
    "lsf": {
        "LSB_JOBID": "1234",
        "LSB_DJOB_RANKFILE": "/no/such/file",
        "JSM_NAMESPACE_LOCAL_RANK": "1",
        "JSM_NAMESPACE_RANK": "1",
        "JSM_NAMESPACE_SIZE": "2",
    },
    "mpi": {
        "OMPI_COMM_WORLD_RANK": "1",
        "OMPI_COMM_WORLD_SIZE": "2",
        "OMPI_COMM_WORLD_LOCAL_RANK": "1",
        "PMI_RANK": "1",
        "PMI_SIZE": "2",
    },
    "lightning": {
        "PL_TRAINER_FAST_DEV_RUN": "1",
        "PL_TRAINER_LIMIT_VAL_BATCHES": "0",
        "PL_TRAINER_ACCUMULATE_GRAD_BATCHES": "3",
        "PL_GLOBAL_SEED": "99",
    },
}
"""By what sets them: names and values."""
