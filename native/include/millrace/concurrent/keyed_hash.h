#pragma once

#include <sys/random.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace millrace {

// A 64-bit hash that depends on a secret, so that peers who choose the keys cannot choose where
// they land. Immutable, so any thread may use it. Owns 32 bytes. Costs two
// 64 x 64 bit products for a word, and one more for each 16 bytes beyond the first.
//
// The mixing step is that of Wang Yi's wyhash: a 64 x 64 bit product, folded to 64 bits. It is not
// a cryptographic hash: it withstands those who see neither the secret nor whole hashes.
class KeyedHash {
 public:
  // From the kernel's random numbers.
  static KeyedHash random() noexcept {
    std::uint64_t seed = 0;
    std::uint64_t more = 0;
    fill(seed);
    fill(more);
    KeyedHash hash(seed);
    hash.secret_[1] ^= more;
    hash.secret_[3] ^= fold(more, kGolden);
    return hash;
  }

  // The same hashes in every run: for tests.
  explicit KeyedHash(std::uint64_t seed) noexcept {
    for (std::uint64_t& part : secret_) {
      // Sebastiano Vigna's splitmix64.
      seed += kGolden;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      part = z ^ (z >> 31);
    }
  }

  std::uint64_t of_word(std::uint64_t word) const noexcept {
    return fold(fold(word ^ secret_[0], secret_[1] | 1) ^ secret_[2], secret_[3] | 1);
  }

  // `kind` tells apart keys of the same bytes that are not the same key.
  std::uint64_t of_bytes(const std::byte* bytes, std::size_t size, bool kind) const noexcept {
    std::uint64_t state = secret_[0];
    std::size_t left = size;
    for (; left > 16; left -= 16, bytes += 16) {
      state = fold(read<std::uint64_t>(bytes) ^ secret_[1], read<std::uint64_t>(bytes + 8) ^ state);
    }
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    if (left >= 8) {
      a = read<std::uint64_t>(bytes);
      b = read<std::uint64_t>(bytes + left - 8);
    } else if (left >= 4) {
      a = read<std::uint32_t>(bytes);
      b = read<std::uint32_t>(bytes + left - 4);
    } else if (left > 0) {
      a = read<std::uint8_t>(bytes) | read<std::uint8_t>(bytes + left / 2) << 8 |
          read<std::uint8_t>(bytes + left - 1) << 16;
    }
    state = fold(a ^ secret_[1], b ^ state);
    return fold(state ^ secret_[2], (size << 1 | (kind ? 1 : 0)) ^ secret_[3]);
  }

 private:
  static constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15u;

  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }

  template <class T>
  static T read(const std::byte* bytes) noexcept {
    T value;
    std::memcpy(&value, bytes, sizeof(value));
    return value;
  }

  // Eight bytes come whole or not at all once the kernel's generator is seeded, which this waits
  // for.
  static void fill(std::uint64_t& word) noexcept {
    while (getrandom(&word, sizeof(word), 0) != sizeof(word)) {
    }
  }

  std::uint64_t secret_[4];
};

}  // namespace millrace
