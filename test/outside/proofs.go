package main

import (
	"encoding/hex"
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
)

// hexBytes are bytes that JSON holds in hexadecimal digits.
type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

type proofsToJudge struct {
	Inclusion []struct {
		Index int64      `json:"index"`
		Size  int64      `json:"size"`
		Leaf  hexBytes   `json:"leafHash"`
		Root  hexBytes   `json:"root"`
		Path  []hexBytes `json:"path"`
	} `json:"inclusion"`
	Consistency []struct {
		OldSize int64      `json:"oldSize"`
		OldRoot hexBytes   `json:"oldRoot"`
		Size    int64      `json:"size"`
		Root    hexBytes   `json:"root"`
		Path    []hexBytes `json:"path"`
	} `json:"consistency"`
}

// verdict says which of the two libraries takes the proof.
type verdict struct {
	SumDB  bool `json:"sumdb"`
	Merkle bool `json:"merkle"`
}

type judgedProofs struct {
	Inclusion   []verdict `json:"inclusion"`
	Consistency []verdict `json:"consistency"`
}

func judgeProofs(proofs proofsToJudge) (judgedProofs, error) {
	judged := judgedProofs{}
	for _, one := range proofs.Inclusion {
		path, hashes, err := pathOf(one.Path, one.Leaf, one.Root)
		if err != nil {
			return judged, err
		}
		judged.Inclusion = append(judged.Inclusion, verdict{
			SumDB: tlog.CheckRecord(path, one.Size, tlog.Hash(one.Root), one.Index, tlog.Hash(one.Leaf)) == nil,
			Merkle: proof.VerifyInclusion(
				rfc6962.DefaultHasher, uint64(one.Index), uint64(one.Size), one.Leaf, hashes, one.Root) == nil,
		})
	}
	for _, one := range proofs.Consistency {
		path, hashes, err := pathOf(one.Path, one.OldRoot, one.Root)
		if err != nil {
			return judged, err
		}
		judged.Consistency = append(judged.Consistency, verdict{
			SumDB: tlog.CheckTree(path, one.Size, tlog.Hash(one.Root), one.OldSize, tlog.Hash(one.OldRoot)) == nil,
			Merkle: proof.VerifyConsistency(
				rfc6962.DefaultHasher, uint64(one.OldSize), uint64(one.Size), hashes, one.OldRoot, one.Root) == nil,
		})
	}
	return judged, nil
}

// pathOf gives the path as either library wants it; both know only hashes of 32 bytes.
func pathOf(path []hexBytes, others ...hexBytes) ([]tlog.Hash, [][]byte, error) {
	hashes, slices := make([]tlog.Hash, len(path)), make([][]byte, len(path))
	for at, hash := range append(others, path...) {
		if len(hash) != tlog.HashSize {
			return nil, nil, fmt.Errorf("a hash of %d bytes", len(hash))
		}
		if at >= len(others) {
			hashes[at-len(others)], slices[at-len(others)] = tlog.Hash(hash), hash
		}
	}
	return hashes, slices, nil
}
