// Hangs without the GIL in them, and one that only turns.
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "gil.hpp"

namespace {

// Two threads have a mutex each and want the other's; fixed, both take them together. The caller joins both.
PyObject* lock_order(bool crossed) {
  Released released(false);
  std::mutex left, right;
  pthread_barrier_t both;
  pthread_barrier_init(&both, nullptr, 2);
  auto take = [&](std::mutex& first, std::mutex& second) {
    if (crossed) {
      std::lock_guard<std::mutex> one(first);
      pthread_barrier_wait(&both);
      std::lock_guard<std::mutex> other(second);
    } else {
      pthread_barrier_wait(&both);
      std::lock(first, second);
      first.unlock();
      second.unlock();
    }
  };
  std::thread one(take, std::ref(left), std::ref(right));
  std::thread other(take, std::ref(right), std::ref(left));
  one.join();
  other.join();
  return nullptr;
}

// One thread locks a mutex that it has; fixed, after it gave it back.
PyObject* mutex_twice(bool has_it) {
  Released released(false);
  pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&guard);
  if (!has_it) pthread_mutex_unlock(&guard);
  pthread_mutex_lock(&guard);
  pthread_mutex_unlock(&guard);
  return nullptr;
}

// The caller wants a mutex whose owner has ended; fixed, it gave it back before.
PyObject* mutex_of_ended_thread(bool kept) {
  Released released(false);
  std::mutex guard;
  std::thread([&] {
    guard.lock();
    if (!kept) guard.unlock();
  }).join();
  std::lock_guard<std::mutex> lock(guard);
  return nullptr;
}

// The caller waits on a condition that nobody is left to fulfil; fixed, a thread does.
PyObject* condition_unnotified(bool nobody) {
  Released released(false);
  std::mutex guard;
  std::condition_variable changed;
  bool ready = false;
  std::thread worker([&] {
    std::lock_guard<std::mutex> lock(guard);
    ready = !nobody;
    changed.notify_one();
  });
  if (nobody) worker.join();
  std::unique_lock<std::mutex> lock(guard);
  changed.wait(lock, [&] { return ready; });
  lock.unlock();
  if (!nobody) worker.join();
  return nullptr;
}

pthread_mutex_t shared_by_fork = PTHREAD_MUTEX_INITIALIZER;

// A thread that has a mutex, from before this returns, for so many seconds or for ever.
PyObject* hold_mutex(double seconds) {
  static Signal owned;
  std::thread([seconds] {
    pthread_mutex_lock(&shared_by_fork);
    owned.say();
    sleep(seconds);
    pthread_mutex_unlock(&shared_by_fork);
  }).detach();
  owned.wait();
  return nullptr;
}

// Wants that mutex; in a child of a fork its owner does not exist.
PyObject* use_mutex(bool held) {
  Released released(held);
  pthread_mutex_lock(&shared_by_fork);
  pthread_mutex_unlock(&shared_by_fork);
  return nullptr;
}

// The caller turns in a loop, the GIL held, until a thread has said something, which waits for the GIL.
PyObject* spin_on_flag(bool held) {
  std::atomic<bool> ready(false);
  std::thread worker([&] {
    count_up();
    ready = true;
  });
  {
    Released released(held);
    while (!ready) {
    }
  }
  worker.join();
  return result();
}

}  // namespace
