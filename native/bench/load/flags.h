#pragma once

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace millrace::bench {

// Command-line flags of the form `--name value`. Answers are checked on reading: a bad flag ends
// the process with one line and exit code 2, before anything is opened. Main thread only.
class Flags {
 public:
  Flags(int argc, char** argv, std::initializer_list<const char*> known)
      : argc_(argc), argv_(argv) {
    for (int i = 1; i < argc; i += 2) {
      bool found = false;
      for (const char* name : known) found = found || std::strcmp(argv[i], name) == 0;
      if (!found) fail(argv[i], "is not a flag of this program");
      if (i + 1 == argc) fail(argv[i], "needs a value");
    }
  }

  const char* text(const char* name, const char* fallback) const {
    for (int i = 1; i + 1 < argc_; i += 2) {
      if (std::strcmp(argv_[i], name) == 0) return argv_[i + 1];
    }
    return fallback;
  }

  double number(const char* name, double min, double max, double fallback) const {
    const char* value = text(name, nullptr);
    if (value == nullptr) return fallback;
    char* end = nullptr;
    const double parsed = std::strtod(value, &end);
    if (end == value || *end != '\0' || !(parsed >= min && parsed <= max)) {
      std::fprintf(stderr, "%s must be a number from %g to %g, got %s\n", name, min, max, value);
      std::exit(2);
    }
    return parsed;
  }

 private:
  [[noreturn]] static void fail(const char* name, const char* why) {
    std::fprintf(stderr, "%s %s\n", name, why);
    std::exit(2);
  }

  int argc_;
  char** argv_;
};

}  // namespace millrace::bench
