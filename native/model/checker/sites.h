#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::model {

enum class Kind : std::uint8_t { kLoad, kStore, kReadModifyWrite, kFailedExchange };

inline const char* name_of(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_consume:
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    default:
      return "seq_cst";
  }
}

// A place in the checked code where an atomic operation stands.
struct Site {
  std::string function;
  unsigned line = 0;
  // Stands in a header of the core, not in a program that uses it.
  bool in_core = false;
  Kind kind = Kind::kLoad;
  std::memory_order order = std::memory_order_relaxed;

  // "publish: exchange seq_cst"
  std::string text() const {
    static constexpr const char* kNames[] = {"load", "store", "read-modify-write",
                                             "failed compare-exchange"};
    return function + ": " + kNames[static_cast<int>(kind)] + " " + name_of(order);
  }

  // Each order that is one step weaker.
  std::vector<std::memory_order> weaker() const {
    const bool writes = kind == Kind::kStore || kind == Kind::kReadModifyWrite;
    const bool reads = kind != Kind::kStore;
    switch (order) {
      case std::memory_order_relaxed:
        return {};
      case std::memory_order_seq_cst:
        if (reads && writes) return {std::memory_order_acq_rel};
        return {reads ? std::memory_order_acquire : std::memory_order_release};
      case std::memory_order_acq_rel:
        return {std::memory_order_acquire, std::memory_order_release};
      default:
        return {std::memory_order_relaxed};
    }
  }
};

// The places that executions came through, and the one of them whose order is weakened.
class Sites {
 public:
  // Where an operation stands and which of its two orders is meant.
  using Key = std::uint64_t;

  static Key key_of(const std::source_location& where, Kind kind) {
    Key key = reinterpret_cast<std::uintptr_t>(where.file_name());
    key = key * 1'000'003 + where.line();
    key = key * 1'009 + where.column();
    return key * 5 + static_cast<Key>(kind == Kind::kFailedExchange);
  }

  // The order to use there.
  std::memory_order order_at(const std::source_location& where, Kind kind,
                             std::memory_order order) {
    if (!recording_ && weakened_ == 0) return order;
    const Key key = key_of(where, kind);
    if (recording_)
      known_.try_emplace(key, Site{function_of(where), where.line(), in_core(where), kind, order});
    return key == weakened_ ? instead_ : order;
  }

  void record(bool recording) { recording_ = recording; }
  void weaken(Key key, std::memory_order instead) {
    weakened_ = key;
    instead_ = instead;
  }
  void restore() { weakened_ = 0; }
  const std::map<Key, Site>& known() const { return known_; }
  void forget() { known_.clear(); }

 private:
  static bool in_core(const std::source_location& where) {
    return std::string_view(where.file_name()).find("include/millrace/") != std::string_view::npos;
  }

  // "bool millrace::Parker::park(Ready, long)" is "Parker::park".
  static std::string function_of(const std::source_location& where) {
    std::string_view text = where.function_name();
    text = text.substr(0, text.find('('));
    // Template arguments stand between the class and the member.
    std::string name;
    int depth = 0;
    for (const char c : text) {
      if (c == '<') ++depth;
      if (depth == 0) name += c;
      if (c == '>') --depth;
    }
    const std::size_t blank = name.rfind(' ');
    if (blank != std::string::npos) name = name.substr(blank + 1);
    constexpr std::string_view kOurs = "millrace::";
    return name.starts_with(kOurs) ? name.substr(kOurs.size()) : name;
  }

  std::map<Key, Site> known_;
  bool recording_ = false;
  Key weakened_ = 0;
  std::memory_order instead_ = std::memory_order_relaxed;
};

}  // namespace millrace::model
