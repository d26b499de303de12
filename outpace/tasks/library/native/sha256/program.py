# if 0  // C++ skips what follows; Python does not
"""SHA-256 of many messages in C++17; the Python around it only hands over the addresses."""

import ctypes
import os

import numpy as np

CPP = """ "
#endif
// EVOLVE-BLOCK-START
#include <cstdint>
#include <cstring>

static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotated(uint32_t word, int by) { return (word >> by) | (word << (32 - by)); }

static void add_block(uint32_t state[8], const uint8_t *block) {
    uint32_t words[64];
    for (int t = 0; t < 16; t++) {
        const uint8_t *four = block + 4 * t;
        words[t] = uint32_t(four[0]) << 24 | uint32_t(four[1]) << 16 | uint32_t(four[2]) << 8 | four[3];
    }
    for (int t = 16; t < 64; t++) {
        uint32_t low = rotated(words[t - 15], 7) ^ rotated(words[t - 15], 18) ^ (words[t - 15] >> 3);
        uint32_t high = rotated(words[t - 2], 17) ^ rotated(words[t - 2], 19) ^ (words[t - 2] >> 10);
        words[t] = words[t - 16] + low + words[t - 7] + high;
    }
    uint32_t s[8];
    std::memcpy(s, state, sizeof s);
    for (int t = 0; t < 64; t++) {
        uint32_t e = rotated(s[4], 6) ^ rotated(s[4], 11) ^ rotated(s[4], 25);
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t first = s[7] + e + choice + ROUND[t] + words[t];
        uint32_t a = rotated(s[0], 2) ^ rotated(s[0], 13) ^ rotated(s[0], 22);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        for (int i = 7; i > 0; i--) s[i] = s[i - 1];
        s[4] += first;
        s[0] = first + a + majority;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

static void digest(const uint8_t *message, int64_t length, uint8_t *out) {
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    int64_t whole = length / 64 * 64;
    for (int64_t at = 0; at < whole; at += 64) add_block(state, message + at);
    uint8_t last[128] = {0};
    int64_t rest = length - whole;
    if (rest) std::memcpy(last, message + whole, rest);
    last[rest] = 0x80;
    int64_t size = rest < 56 ? 64 : 128;
    for (int i = 0; i < 8; i++) last[size - 1 - i] = uint8_t(uint64_t(length) * 8 >> 8 * i);
    for (int64_t at = 0; at < size; at += 64) add_block(state, last + at);
    for (int i = 0; i < 32; i++) out[i] = uint8_t(state[i / 4] >> (24 - 8 * (i % 4)));
}

// Write the SHA-256 of data[offsets[i]] .. data[offsets[i + 1] - 1] to out + 32 * i, for each of the messages.
extern "C" void sha256(const uint8_t *data, const int64_t *offsets, int64_t messages, uint8_t *out) {
    for (int64_t i = 0; i < messages; i++) digest(data + offsets[i], offsets[i + 1] - offsets[i], out + 32 * i);
}
// EVOLVE-BLOCK-END
#if 0
" """

if "OUTPACE_BUILD" in os.environ:
    library = ctypes.CDLL(os.environ["OUTPACE_BUILD"] + "/sha256.so")


def sha256(data, offsets):
    """Return the digest of each message, a uint8 array of shape (messages, 32)."""
    digests = np.zeros((len(offsets) - 1, 32), dtype=np.uint8)
    data, offsets = np.ascontiguousarray(data), np.ascontiguousarray(offsets)
    text, bounds, target = (ctypes.c_void_p(part.ctypes.data) for part in (data, offsets, digests))
    library.sha256(text, bounds, ctypes.c_int64(len(digests)), target)
    return digests


# endif
