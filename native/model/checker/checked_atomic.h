#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <source_location>
#include <type_traits>

#include "explorer.h"

namespace millrace::model {

// std::atomic as the checker sees it: of the same size, its value known to the checker by its
// address. Any thread of a model; only what the core uses of std::atomic.
template <class T>
class CheckedAtomic {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  using Where = std::source_location;
  using Order = std::memory_order;

 public:
  CheckedAtomic() : CheckedAtomic(T{}) {}
  CheckedAtomic(T value) : held_(value) {}
  CheckedAtomic(const CheckedAtomic&) = delete;
  CheckedAtomic& operator=(const CheckedAtomic&) = delete;

  T load(Order order = Order::seq_cst, Where where = Where::current()) const {
    return back(checker().load(this, bits(held_), order, where));
  }
  void store(T value, Order order = Order::seq_cst, Where where = Where::current()) {
    checker().store(this, bits(held_), bits(value), order, where);
  }
  T exchange(T value, Order order = Order::seq_cst, Where where = Where::current()) {
    return modify(order, where, [value](T) { return value; });
  }
  T fetch_add(T by, Order order = Order::seq_cst, Where where = Where::current()) {
    return modify(order, where, [by](T old) { return static_cast<T>(old + by); });
  }
  T fetch_sub(T by, Order order = Order::seq_cst, Where where = Where::current()) {
    return modify(order, where, [by](T old) { return static_cast<T>(old - by); });
  }
  T fetch_or(T by, Order order = Order::seq_cst, Where where = Where::current()) {
    return modify(order, where, [by](T old) { return static_cast<T>(old | by); });
  }
  T fetch_and(T by, Order order = Order::seq_cst, Where where = Where::current()) {
    return modify(order, where, [by](T old) { return static_cast<T>(old & by); });
  }

  bool compare_exchange_strong(T& expected, T next, Order success, Order failure,
                               Where where = Where::current()) {
    const std::uint64_t wanted = bits(expected);
    const auto change = [&](std::uint64_t old) {
      return old == wanted ? std::optional(bits(next)) : std::nullopt;
    };
    const std::uint64_t old = checker().modify(this, bits(held_), success, failure, where, change);
    expected = back(old);
    return old == wanted;
  }
  bool compare_exchange_strong(T& expected, T next, Order order = Order::seq_cst,
                               Where where = Where::current()) {
    return compare_exchange_strong(expected, next, order, failure_of(order), where);
  }
  bool compare_exchange_weak(T& expected, T next, Order success, Order failure,
                             Where where = Where::current()) {
    return compare_exchange_strong(expected, next, success, failure, where);
  }
  bool compare_exchange_weak(T& expected, T next, Order order = Order::seq_cst,
                             Where where = Where::current()) {
    return compare_exchange_strong(expected, next, order, failure_of(order), where);
  }

 private:
  static Explorer& checker() { return Explorer::instance(); }
  static Order failure_of(Order order) {
    return order == Order::acq_rel   ? Order::acquire
           : order == Order::release ? Order::relaxed
                                     : order;
  }
  static std::uint64_t bits(T value) {
    std::uint64_t word = 0;
    std::memcpy(&word, &value, sizeof value);
    return word;
  }
  static T back(std::uint64_t word) {
    T value;
    std::memcpy(&value, &word, sizeof value);
    return value;
  }
  template <class Change>
  T modify(Order order, const Where& where, Change change) {
    const auto next = [&](std::uint64_t old) { return std::optional(bits(change(back(old)))); };
    return back(checker().modify(this, bits(held_), order, std::nullopt, where, next));
  }

  T held_;
};

// A value that is no atomic, whose races the checker finds. Any thread of a model.
template <class T>
class Plain {
 public:
  Plain() = default;
  Plain(T value) : value_(value) {}
  Plain(const Plain& other) : value_(other.get()) { Explorer::instance().plain_write(this); }
  Plain& operator=(const Plain& other) {
    set(other.get());
    return *this;
  }

  T get() const {
    Explorer::instance().plain_read(this);
    return value_;
  }
  void set(T value) {
    Explorer::instance().plain_write(this);
    value_ = value;
  }

 private:
  T value_{};
};

}  // namespace millrace::model

// Queues of plain values are to copy them as such, although the copies are watched.
template <class T>
inline constexpr bool std::is_trivially_copyable_v<millrace::model::Plain<T>> = true;
