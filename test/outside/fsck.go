package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

// More than resources can be wrong in a test: a worker ends with the first that is, and without workers the check would wait for ever.
const workers = 256

// fsckLog re-builds the whole log from its entries and compares each tile and the signed root.
func fsckLog(ctx context.Context, location, vkey string, authorization []string) (err error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	fetcher, err := fetcherOf(location, authorization)
	if err != nil {
		return err
	}
	// A bundle with fewer entries than the tree needs makes the check panic.
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the check gave up: %v", fault)
		}
	}()
	return fsck.New(verifier.Name(), verifier, fetcher, leafHashes, fsck.Opts{N: workers}).Check(ctx)
}

func fetcherOf(location string, authorization []string) (fsck.Fetcher, error) {
	if !strings.HasPrefix(location, "http://") && !strings.HasPrefix(location, "https://") {
		return client.FileFetcher{Root: location}, nil
	}
	root, err := url.Parse(location)
	if err != nil {
		return nil, err
	}
	fetcher, err := client.NewHTTPFetcher(root, nil)
	if err == nil && len(authorization) > 0 {
		fetcher.SetAuthorizationHeader(authorization[0])
	}
	return fetcher, err
}

func leafHashes(bytes []byte) ([][]byte, error) {
	bundle := api.EntryBundle{}
	if err := bundle.UnmarshalText(bytes); err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(bundle.Entries))
	for at, entry := range bundle.Entries {
		hashes[at] = rfc6962.DefaultHasher.HashLeaf(entry)
	}
	return hashes, nil
}
