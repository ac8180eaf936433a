#pragma once

#include <memory>
#include <utility>

// What this thread's ArrayBuffers keep alive until their finalizers run. An ArrayBuffer that could
// not be made, because the thread is being terminated, never has its finalizer called: what it was
// to keep goes with the keeper, at the end of the environment, after all finalizers.
// Used by that thread only. Owns the kept. Costs a few pointers each.
class Keeper {
 public:
  class Kept {
   public:
    explicit Kept(Keeper& keeper) : link_(&keeper.first_), next_(keeper.first_) {
      if (next_ != nullptr) next_->link_ = &next_;
      *link_ = this;
    }
    Kept(const Kept&) = delete;
    virtual ~Kept() {
      if (next_ != nullptr) next_->link_ = link_;
      *link_ = next_;
    }

   private:
    Kept** link_;  // what points at this
    Kept* next_;
  };

  Keeper() = default;
  Keeper(const Keeper&) = delete;
  ~Keeper() {
    while (first_ != nullptr) delete first_;
  }

 private:
  Kept* first_ = nullptr;
};

// Keeps an object that others hold, too.
template <class T>
class KeptPointer : public Keeper::Kept {
 public:
  KeptPointer(Keeper& keeper, std::shared_ptr<T> pointer)
      : Kept(keeper), pointer_(std::move(pointer)) {}

 private:
  std::shared_ptr<T> pointer_;
};
