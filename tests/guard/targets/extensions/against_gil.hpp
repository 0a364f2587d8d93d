// The GIL against something else. Each `held` hangs every time: where a wait depends on who comes first, the two
// agree on it (`Signal`).
#pragma once

#include <dlfcn.h>
#include <pthread.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "gil.hpp"

namespace {

void* count_up_in_pthread(void*) {
  count_up();
  return nullptr;
}

// The caller joins a thread that waits for the GIL.
PyObject* join_pthread(bool held) {
  pthread_t worker;
  pthread_create(&worker, nullptr, count_up_in_pthread, nullptr);
  {
    Released released(held);
    pthread_join(worker, nullptr);
  }
  return result();
}

// As above, by the C++ library.
PyObject* join_std(bool held) {
  std::thread worker(count_up);
  {
    Released released(held);
    worker.join();
  }
  return result();
}

// The caller waits for the result of a thread that waits for the GIL.
PyObject* future(bool held) {
  auto counting = std::async(std::launch::async, count_up);
  {
    Released released(held);
    counting.wait();
  }
  return result();
}

// The caller waits for a mutex whose owner waits for the GIL.
PyObject* mutex(bool held) {
  std::mutex guard;
  Signal owned;
  std::thread worker([&] {
    std::lock_guard<std::mutex> lock(guard);
    owned.say();
    count_up();
  });
  owned.wait();
  {
    Released released(held);
    std::lock_guard<std::mutex> lock(guard);
  }
  worker.join();
  return result();
}

// The caller waits to read what a writer guards, who waits for the GIL.
PyObject* rwlock(bool held) {
  std::shared_mutex guard;
  Signal owned;
  std::thread worker([&] {
    std::unique_lock<std::shared_mutex> lock(guard);
    owned.say();
    count_up();
  });
  owned.wait();
  {
    Released released(held);
    std::shared_lock<std::shared_mutex> lock(guard);
  }
  worker.join();
  return result();
}

// The caller waits on a condition that a thread fulfils as soon as it has the GIL.
PyObject* condition(bool held) {
  std::mutex guard;
  std::condition_variable changed;
  bool ready = false;
  std::thread worker([&] {
    count_up();
    std::lock_guard<std::mutex> lock(guard);
    ready = true;
    changed.notify_one();
  });
  {
    Released released(held);
    std::unique_lock<std::mutex> lock(guard);
    changed.wait(lock, [&] { return ready; });
  }
  worker.join();
  return result();
}

// The caller waits on a semaphore that a thread posts as soon as it has the GIL.
PyObject* semaphore(bool held) {
  Signal ready;
  std::thread worker([&] {
    count_up();
    ready.say();
  });
  {
    Released released(held);
    ready.wait();
  }
  worker.join();
  return result();
}

// The caller waits at a barrier for a thread that waits for the GIL.
PyObject* thread_barrier(bool held) {
  pthread_barrier_t meeting;
  pthread_barrier_init(&meeting, nullptr, 2);
  std::thread worker([&] {
    count_up();
    pthread_barrier_wait(&meeting);
  });
  {
    Released released(held);
    pthread_barrier_wait(&meeting);
  }
  worker.join();
  return result();
}

Signal initialising;

struct CountsUp {
  CountsUp() {
    initialising.say();
    count_up();
  }
};

CountsUp& the_only_one() {
  static CountsUp only;
  return only;
}

// The caller waits for the initialisation of a function's static variable; the thread inside it waits for the
// GIL.
PyObject* static_init(bool held) {
  std::thread worker([] { the_only_one(); });
  initialising.wait();
  {
    Released released(held);
    the_only_one();
  }
  worker.join();
  return result();
}

std::once_flag once_std;

void call_the_once() { std::call_once(once_std, [] { CountsUp(); }); }

// As above, by std::call_once.
PyObject* call_once(bool held) {
  std::thread worker(call_the_once);
  initialising.wait();
  {
    Released released(held);
    call_the_once();
  }
  worker.join();
  return result();
}

pthread_once_t once_pthread = PTHREAD_ONCE_INIT;

void call_the_pthread_once() {
  pthread_once(&once_pthread, [] { CountsUp(); });
}

// As above, by pthread_once.
PyObject* once(bool held) {
  std::thread worker(call_the_pthread_once);
  initialising.wait();
  {
    Released released(held);
    call_the_pthread_once();
  }
  worker.join();
  return result();
}

// Loads plugin.cpp, whose initialisation calls `call` while the loader's lock is held.
void load_plugin(const char* path, void (*call)()) {
  char address[32];
  std::snprintf(address, sizeof address, "%p", reinterpret_cast<void*>(call));
  setenv("TARGET_PLUGIN_CALLS", address, 1);
  void* library = dlopen(path, RTLD_NOW);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::abort();
  }
}

// The caller wants the loader's lock; the thread that has it initialises a library and waits for the GIL.
PyObject* loader(const char* plugin, bool held) {
  std::thread worker([plugin] { load_plugin(plugin, [] { CountsUp(); }); });
  initialising.wait();
  {
    Released released(held);
    dlopen("libm.so.6", RTLD_NOW);
  }
  worker.join();
  return result();
}

// A library's initialisation joins a thread that wants the loader's lock, which the initialising thread has;
// fixed, it leaves the joining to its caller. No GIL in it.
PyObject* loader_join(const char* plugin, bool joins) {
  static std::thread opener;
  Released released(false);
  load_plugin(plugin, joins ? +[] { std::thread([] { dlopen("libm.so.6", RTLD_NOW); }).join(); }
                            : +[] { opener = std::thread([] { dlopen("libm.so.6", RTLD_NOW); }); });
  opener.join();
  return nullptr;
}

}  // namespace
