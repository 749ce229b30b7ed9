"""The bus on NATS JetStream: the same contract over several machines. See `jetstream.bus`."""
