#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "explorer.h"

namespace millrace::model {

// One memory order of the checked code made one step weaker, and what came of it.
struct Weakening {
  std::string what;
  // Empty: every program still holds.
  std::string failure;
};

template <class Program>
Result explore_named() {
  Result result = Explorer::instance().explore<Program>();
  if (!result.holds()) result.failure = std::string(Program::kName) + ": " + result.failure;
  return result;
}

// Runs the programs with the code as it is, which must hold, and then once for each order that
// they came by in headers of the core, weakened. One system thread. Costs an exploration a program
// and order, up to the first failure.
template <class... Programs>
class Weakenings {
 public:
  static std::vector<Weakening> run(const std::string& prefix) {
    Sites& sites = Explorer::instance().sites();
    sites.forget();
    sites.record(true);
    (expect_to_hold<Programs>(), ...);
    sites.record(false);
    std::vector<Weakening> all;
    for (const auto& [key, site] : sites.known()) {
      if (!site.in_core || !site.function.starts_with(prefix)) continue;
      for (const std::memory_order weaker : site.weaker()) {
        sites.weaken(key, weaker);
        Weakening weakening{site.text() + " -> " + name_of(weaker), ""};
        (try_one<Programs>(weakening), ...);
        sites.restore();
        all.push_back(std::move(weakening));
      }
    }
    return all;
  }

  // Prints the table, of the functions that begin with `prefix`. The orders in
  // `stronger_than_needed` are those that the structure does not need by itself, and only those may
  // be weakened without a failure.
  static void expect_failures(const std::string& prefix,
                              const std::set<std::string>& stronger_than_needed) {
    std::set<std::string> held;
    for (const auto& [what, failure] : run(prefix)) {
      std::printf("%-72s %s\n", what.c_str(), failure.empty() ? "holds" : failure.c_str());
      if (failure.empty()) held.insert(what);
    }
    EXPECT_EQ(held, stronger_than_needed);
  }

 private:
  template <class Program>
  static void expect_to_hold() {
    const Result result = explore_named<Program>();
    EXPECT_EQ(result.failure, "");
    if (!result.holds()) {
      std::printf("%s\n", Explorer::instance().explain<Program>().trace.c_str());
    }
    std::printf("%-32s %10llu executions, %llu cut\n", Program::kName,
                static_cast<unsigned long long>(result.executions),
                static_cast<unsigned long long>(result.cut));
  }

  template <class Program>
  static void try_one(Weakening& weakening) {
    if (weakening.failure.empty()) weakening.failure = explore_named<Program>().failure;
  }
};

}  // namespace millrace::model
