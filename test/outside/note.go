package main

import (
	"fmt"

	witness "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

type noteToJudge struct {
	VKeys []string `json:"vkeys"`
	Note  string   `json:"note"`
}

type judgedNote struct {
	// Error is why the note was refused; the rest is empty then.
	Error      string            `json:"error,omitempty"`
	Text       string            `json:"text,omitempty"`
	Signatures []judgedSignature `json:"signatures,omitempty"`
}

type judgedSignature struct {
	Name string `json:"name"`
	ID   uint32 `json:"id"`
	// Timestamp is that of a cosignature, in seconds.
	Timestamp *int64 `json:"timestamp,omitempty"`
}

func judgeNotes(notes []noteToJudge) ([]judgedNote, error) {
	judged := make([]judgedNote, len(notes))
	for at, one := range notes {
		opened, err := judgeNote(one)
		if err != nil {
			opened = judgedNote{Error: err.Error()}
		}
		judged[at] = opened
	}
	return judged, nil
}

func judgeNote(one noteToJudge) (judgedNote, error) {
	var verifiers []note.Verifier
	cosigners := map[uint32]bool{}
	for _, vkey := range one.VKeys {
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			// Not a key of the note package itself, then of a witness.
			if verifier, err = witness.NewVerifierForCosignatureV1(vkey); err != nil {
				return judgedNote{}, fmt.Errorf("verifier key %q: %w", vkey, err)
			}
			cosigners[verifier.KeyHash()] = true
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open([]byte(one.Note), note.VerifierList(verifiers...))
	if err != nil {
		return judgedNote{}, err
	}
	judged := judgedNote{Text: opened.Text}
	for _, signature := range opened.Sigs {
		by := judgedSignature{Name: signature.Name, ID: signature.Hash}
		if cosigners[signature.Hash] {
			at, err := witness.CoSigV1Timestamp(signature)
			if err != nil {
				return judgedNote{}, err
			}
			seconds := at.Unix()
			by.Timestamp = &seconds
		}
		judged.Signatures = append(judged.Signatures, by)
	}
	return judged, nil
}
