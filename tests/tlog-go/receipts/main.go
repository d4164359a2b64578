// Receipts checks what clients hold against published logs, over the Go project's own transparency-log library, which
// knows nothing of Keystead. That a log is whole in itself is the other program's matter (../main.go).
//
//	receipts [-kept CHECKPOINT]... DIR [RECEIPT...]
//
// DIR holds `vkey` and `logs/<log>/{checkpoint,tile/...}`. Each receipt must be included in its log, and each kept
// checkpoint must be a prefix of it. Exit 0: all hold. 1: one does not. 3: a file or the record is not there (yet).
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8 // of a tile: 256 hashes

// aLog is one log as its checkpoint states it.
type aLog struct {
	dir, origin string
	tree        tlog.Tree
}

type kept []string

func (k *kept) String() string     { return strings.Join(*k, " ") }
func (k *kept) Set(s string) error { *k = append(*k, s); return nil }

func main() {
	var checkpoints kept
	flag.Var(&checkpoints, "kept", "an older checkpoint of one of the logs")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: receipts [-kept CHECKPOINT]... DIR [RECEIPT...]")
		os.Exit(2)
	}
	err := check(flag.Arg(0), checkpoints, flag.Args()[1:])
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "receipts:", err)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotYet) {
		os.Exit(3)
	}
	os.Exit(1)
}

var errNotYet = errors.New("the checkpoint does not cover it yet")

func check(dir string, checkpoints, receipts []string) error {
	key, err := publicKey(filepath.Join(dir, "vkey"))
	if err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(dir, "logs", "*", "checkpoint"))
	if err != nil || len(found) == 0 {
		return fmt.Errorf("no log in %s: %w", dir, fs.ErrNotExist)
	}
	logs := map[string]aLog{}
	for _, path := range found {
		l, err := open(path, key)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		logs[l.origin] = l
	}
	for _, path := range checkpoints {
		if err := checkPrefix(path, key, logs); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	for _, receipt := range receipts {
		if err := checkReceipt(receipt, logs); err != nil {
			return fmt.Errorf("receipt %s: %w", receipt, err)
		}
	}
	fmt.Printf("ok %d receipts, %d kept checkpoints\n", len(receipts), len(checkpoints))
	return nil
}

// publicKey reads the node's Ed25519 key from a verifier key, which sumdb's note must accept as it stands.
func publicKey(path string) (ed25519.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	vkey := strings.TrimSpace(string(text))
	if _, err := note.NewVerifier(vkey); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	coded := strings.SplitN(vkey, "+", 3)[2]
	raw, err := base64.StdEncoding.DecodeString(coded)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize {
		return nil, fmt.Errorf("%s: not an Ed25519 verifier key", path)
	}
	return ed25519.PublicKey(raw[1:]), nil
}

// open checks a checkpoint's signature under the node's key in the log's own name.
func open(path string, key ed25519.PublicKey) (aLog, error) {
	signed, err := os.ReadFile(path)
	if err != nil {
		return aLog{}, err
	}
	origin, _, _ := strings.Cut(string(signed), "\n")
	vkey, err := note.NewEd25519VerifierKey(origin, key)
	if err != nil {
		return aLog{}, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return aLog{}, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return aLog{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return aLog{}, errors.New("a checkpoint has origin, size and root")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return aLog{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return aLog{}, err
	}
	return aLog{dir: filepath.Dir(path), origin: origin, tree: tlog.Tree{N: size, Hash: root}}, nil
}

// Height, ReadTiles and SaveTiles make a log a tlog.TileReader over its directory.
func (l aLog) Height() int { return height }

func (l aLog) SaveTiles([]tlog.Tile, [][]byte) {}

func (l aLog) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := l.read(tile)
		if err != nil {
			return nil, err
		}
		if len(data) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %s has %d bytes", tile.Path(), len(data))
		}
		all = append(all, data[:tile.W*tlog.HashSize])
	}
	return all, nil
}

// read finds a tile, partial or, if that has been replaced by now, full. Its C2SP path is Go's without the height.
func (l aLog) read(tile tlog.Tile) ([]byte, error) {
	path := func(width int) string {
		tile.W = width
		_, rest, _ := strings.Cut(strings.TrimPrefix(tile.Path(), "tile/"), "/")
		return filepath.Join(l.dir, "tile", rest)
	}
	data, err := os.ReadFile(path(tile.W))
	if errors.Is(err, fs.ErrNotExist) {
		return os.ReadFile(path(1 << height))
	}
	return data, err
}

// checkPrefix proves that the log only grew since the kept checkpoint.
func checkPrefix(path string, key ed25519.PublicKey, logs map[string]aLog) error {
	old, err := open(path, key)
	if err != nil {
		return err
	}
	now, known := logs[old.origin]
	if !known {
		return errors.New("of a log that is not here")
	}
	if now.tree.N < old.tree.N {
		return errors.New("the log is shorter than it was")
	}
	if old.tree.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(now.tree.N, old.tree.N, tlog.TileHashReader(now.tree, now))
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, now.tree.N, now.tree.Hash, old.tree.N, old.tree.Hash)
}

// checkReceipt proves that the leaf a client was given stands at its place: `1.<log id>.<index>.<leaf hash>`.
func checkReceipt(receipt string, logs map[string]aLog) error {
	parts := strings.Split(receipt, ".")
	if len(parts) != 4 || parts[0] != "1" {
		return errors.New("not a receipt")
	}
	id, err := hex.DecodeString(parts[1])
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return err
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[3])
	if err != nil || len(raw) != tlog.HashSize {
		return errors.New("no leaf hash")
	}
	var leaf tlog.Hash
	copy(leaf[:], raw)
	for _, l := range logs {
		of := sha256.Sum256([]byte(l.origin))
		if !bytes.Equal(of[:16], id) {
			continue
		}
		if index >= l.tree.N {
			return errNotYet
		}
		proof, err := tlog.ProveRecord(l.tree.N, index, tlog.TileHashReader(l.tree, l))
		if err != nil {
			return err
		}
		return tlog.CheckRecord(proof, l.tree.N, l.tree.Hash, index, leaf)
	}
	return errors.New("of a log that is not here")
}
