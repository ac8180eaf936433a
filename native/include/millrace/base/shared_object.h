#pragma once

#include <sys/random.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace millrace {

// Names an object to the other threads of the process. Numbers, never a pointer: a token can name
// nothing that is gone. The nonce is below 2^53, so that it is a JavaScript number.
struct SharedToken {
  std::uint32_t id = 0;
  std::uint64_t nonce = 0;
};

inline std::uint64_t random_nonce() {
  std::uint64_t nonce = 0;
  while (::getrandom(&nonce, sizeof nonce, 0) != sizeof nonce) {
  }
  return nonce >> 11;
}

// Base of what several threads of a process hold, each by a shared_ptr of its own: class T : public
// SharedObject<T>. make() and find() are for any thread; the object goes with its last holder, and
// is not found any more from then on. The registry is one for each T in one loaded copy of the
// code, and is never destroyed, as threads may look things up while the process ends. A look-up
// costs a lock and a search of a map: it is for attaching, not for every operation.
template <class T>
class SharedObject {
 public:
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;

  template <class... Arguments>
  static std::shared_ptr<T> make(Arguments&&... arguments) {
    auto object = std::make_shared<T>(std::forward<Arguments>(arguments)...);
    SharedObject& base = *object;
    Registry& registry = Registry::instance();
    const std::lock_guard guard(registry.lock);
    base.token_ = {++registry.last_id, random_nonce()};
    registry.objects.emplace(base.token_.id, object);
    return object;
  }

  // Null: no such object lives.
  static std::shared_ptr<T> find(SharedToken token) {
    Registry& registry = Registry::instance();
    // Declared before the guard: this may have become the last holder, and its end takes the lock.
    std::shared_ptr<T> object;
    const std::lock_guard guard(registry.lock);
    const auto found = registry.objects.find(token.id);
    if (found == registry.objects.end()) return nullptr;
    object = found->second.lock();
    if (object == nullptr || object->token().nonce != token.nonce) return nullptr;
    return object;
  }

  SharedToken token() const noexcept { return token_; }

  // Tells this copy of the code from another one in the process, which has a registry of its own.
  static std::uint64_t copy_nonce() { return Registry::instance().nonce; }

 protected:
  SharedObject() = default;
  ~SharedObject() {
    if (token_.id == 0) return;
    Registry& registry = Registry::instance();
    const std::lock_guard guard(registry.lock);
    registry.objects.erase(token_.id);
  }

 private:
  struct Registry {
    std::mutex lock;
    std::map<std::uint32_t, std::weak_ptr<T>> objects;
    std::uint32_t last_id = 0;
    std::uint64_t nonce = random_nonce();

    static Registry& instance() {
      alignas(Registry) static unsigned char memory[sizeof(Registry)];
      static Registry* const registry = new (memory) Registry();
      return *registry;
    }
  };

  SharedToken token_;
};

}  // namespace millrace
