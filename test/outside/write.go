package main

import (
	"context"
	"fmt"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

type logToWrite struct {
	Secret  string   `json:"secret"`
	Entries [][]byte `json:"entries"`
}

type writtenLog struct {
	Checkpoint string `json:"checkpoint"`
}

// Tessera publishes no more often than this.
const interval = 100 * time.Millisecond

// writeLog has Tessera lay the entries, in their order, under a log in dir, and waits until a checkpoint holds them all.
func writeLog(ctx context.Context, dir string, log logToWrite) (written writtenLog, err error) {
	signer, err := note.NewSigner(log.Secret)
	if err != nil {
		return written, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return written, err
	}
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithBatching(uint(len(log.Entries)), interval).
		WithCheckpointInterval(interval)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return written, err
	}
	await := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, interval)
	futures := make([]tessera.IndexFuture, len(log.Entries))
	for at, entry := range log.Entries {
		futures[at] = appender.Add(ctx, tessera.NewEntry(entry))
	}
	for at, future := range futures {
		index, checkpoint, err := await.Await(ctx, future)
		if err != nil {
			return written, err
		}
		if index.Index != uint64(at) {
			return written, fmt.Errorf("entry %d lies at index %d", at, index.Index)
		}
		written.Checkpoint = string(checkpoint)
	}
	return written, shutdown(ctx)
}
