// What the extensions share: the GIL given back or held, wanted, and time spent.
#pragma once

#include <Python.h>

#include <semaphore.h>

#include <chrono>
#include <thread>
#include <utility>

namespace {

using Clock = std::chrono::steady_clock;

long counted = 0;  // guarded by the GIL

// The GIL, given back for as long as this lives, unless it is to be held.
class Released {
 public:
  explicit Released(bool held) : state_(held ? nullptr : PyEval_SaveThread()) {}
  ~Released() {
    if (state_ != nullptr) PyEval_RestoreThread(state_);
  }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  PyThreadState* state_;
};

// Something that one thread says once and another waits for.
class Signal {
 public:
  Signal() { sem_init(&said_, 0, 0); }
  void say() { sem_post(&said_); }
  void wait() {
    while (sem_wait(&said_) != 0) {
    }
  }

 private:
  sem_t said_;
};

// How often was counted since it was asked last.
inline PyObject* result() { return PyLong_FromLong(std::exchange(counted, 0)); }

// Wants the GIL, as every callback into Python does.
inline void count_up() {
  PyGILState_STATE state = PyGILState_Ensure();
  ++counted;
  PyGILState_Release(state);
}

inline void sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

// Computes for so long and asks nobody for anything.
inline void compute(double seconds) {
  volatile double sink = 0;
  const auto until = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < until) {
    for (int i = 0; i < 1000; ++i) sink = sink + i;
  }
}

}  // namespace
