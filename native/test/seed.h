#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

// The seed of a randomised test: MILLRACE_SEED if it is set, else a fresh one. To be shown with a
// failure: SCOPED_TRACE(seed_note(seed)).
inline std::uint64_t test_seed() {
  if (const char* given = std::getenv("MILLRACE_SEED"); given != nullptr) {
    return std::strtoull(given, nullptr, 10);
  }
  return std::random_device{}();
}

inline std::string seed_note(std::uint64_t seed) {
  return "again with MILLRACE_SEED=" + std::to_string(seed);
}
