// What ends by itself after so many seconds, and looks dead meanwhile.
#pragma once

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "gil.hpp"

namespace {

// A thread that knows nothing of Python and wakes ten times a second, as a watchdog or a telemetry thread
// does.
PyObject* heartbeat(double) {
  std::thread([] {
    while (true) sleep(0.1);
  }).detach();
  return nullptr;
}

// Computes with the GIL held.
PyObject* compute_held(double seconds) {
  compute(seconds);
  return nullptr;
}

// The caller joins, the GIL held, a thread that computes, while another waits for the GIL.
PyObject* join_computes(double seconds) {
  std::thread waiting(count_up);
  std::thread computing(compute, seconds);
  computing.join();
  {
    Released released(false);
    waiting.join();
  }
  return result();
}

// The caller waits, the GIL held, for a mutex whose owner sleeps, while another thread waits for the GIL.
PyObject* mutex_owner_sleeps(double seconds) {
  std::mutex guard;
  Signal owned;
  std::thread waiting(count_up);
  std::thread owner([&] {
    std::lock_guard<std::mutex> lock(guard);
    owned.say();
    sleep(seconds);
  });
  owned.wait();
  { std::lock_guard<std::mutex> lock(guard); }
  owner.join();
  {
    Released released(false);
    waiting.join();
  }
  return result();
}

// The caller waits, the GIL held, on a condition that a thread fulfils after a sleep, while another waits for
// the GIL.
PyObject* condition_fulfilled_late(double seconds) {
  std::mutex guard;
  std::condition_variable changed;
  bool ready = false;
  std::thread waiting(count_up);
  std::thread worker([&] {
    sleep(seconds);
    std::lock_guard<std::mutex> lock(guard);
    ready = true;
    changed.notify_one();
  });
  {
    std::unique_lock<std::mutex> lock(guard);
    changed.wait(lock, [&] { return ready; });
  }
  worker.join();
  {
    Released released(false);
    waiting.join();
  }
  return result();
}

// The caller waits for a static variable's initialisation, the GIL held; the thread inside it sleeps.
PyObject* static_init_sleeps(double seconds) {
  static Signal inside;
  static double nap;
  nap = seconds;
  struct Sleeps {
    Sleeps() {
      inside.say();
      sleep(nap);
    }
    static Sleeps& only() {
      static Sleeps one;
      return one;
    }
  };
  std::thread waiting(count_up);
  std::thread worker([] { Sleeps::only(); });
  inside.wait();
  Sleeps::only();
  worker.join();
  {
    Released released(false);
    waiting.join();
  }
  return result();
}

// The caller joins, the GIL held, a thread that waits 5 ms at a time as one that wants the GIL does, and ends when it
// has done so often enough.
PyObject* polls_like_the_gil(double seconds) {
  std::thread polling([seconds] {
    std::mutex guard;
    std::condition_variable never;
    std::unique_lock<std::mutex> lock(guard);
    const auto until = Clock::now() + std::chrono::duration<double>(seconds);
    while (Clock::now() < until) never.wait_for(lock, std::chrono::milliseconds(5));
  });
  polling.join();
  return nullptr;
}

// Two threads hand a turn to one another by a condition each, and count under the GIL at each turn.
PyObject* hand_over(double seconds) {
  std::mutex guard;
  std::condition_variable changed;
  int turn = 0;
  bool over = false;
  auto play = [&](int me) {
    std::unique_lock<std::mutex> lock(guard);
    while (!over) {
      changed.wait(lock, [&] { return turn == me || over; });
      lock.unlock();
      count_up();
      lock.lock();
      turn = 1 - me;
      changed.notify_all();
    }
  };
  {
    Released released(false);
    std::thread one(play, 0), other(play, 1);
    sleep(seconds);
    {
      std::lock_guard<std::mutex> lock(guard);
      over = true;
      changed.notify_all();
    }
    one.join();
    other.join();
  }
  return PyBool_FromLong(std::exchange(counted, 0) > 10);
}

// As a gRPC server at rest: a thread on a queue with a timeout, one in epoll_wait, and the caller on a
// condition without one, until an event comes after so many seconds.
PyObject* completion_queue(double seconds) {
  Released released(false);
  std::mutex guard;
  std::condition_variable changed, closed;
  std::deque<int> events;
  bool over = false;
  const int wake = eventfd(0, 0), poll = epoll_create1(0);
  epoll_event interest{};
  interest.events = EPOLLIN;
  epoll_ctl(poll, EPOLL_CTL_ADD, wake, &interest);
  std::thread poller([&] {
    epoll_event event{};
    while (epoll_wait(poll, &event, 1, -1) < 1) {
    }
    std::lock_guard<std::mutex> lock(guard);
    events.push_back(1);
    changed.notify_one();
  });
  std::thread queue([&] {
    std::unique_lock<std::mutex> lock(guard);
    while (events.empty()) changed.wait_for(lock, std::chrono::milliseconds(200));
    over = true;
    closed.notify_one();
  });
  std::thread clock([&] {
    sleep(seconds);
    const uint64_t one = 1;
    if (write(wake, &one, sizeof one) < 0) std::abort();
  });
  {
    std::unique_lock<std::mutex> lock(guard);
    closed.wait(lock, [&] { return over; });
  }
  poller.join();
  queue.join();
  clock.join();
  return nullptr;
}

sem_t posted_by_handler;

timer_t start_timer(sigevent* event, double seconds) {
  timer_t timer;
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(seconds);
  when.it_value.tv_nsec = 1;
  timer_create(CLOCK_MONOTONIC, event, &timer);
  timer_settime(timer, 0, &when, nullptr);
  return timer;
}

// The only thread waits on a semaphore without a timeout, the GIL held; a POSIX timer's signal handler posts
// it.
PyObject* posted_by_signal(double seconds) {
  sem_init(&posted_by_handler, 0, 0);
  struct sigaction action {};
  action.sa_handler = [](int) { sem_post(&posted_by_handler); };
  action.sa_flags = SA_RESTART;
  sigaction(SIGRTMIN + 3, &action, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGRTMIN + 3;
  timer_t timer = start_timer(&event, seconds);
  while (sem_wait(&posted_by_handler) != 0) {
  }
  timer_delete(timer);
  return nullptr;
}

// As above, by a timer that starts a thread (SIGEV_THREAD): the C library has a thread that waits for the
// timer's signal.
PyObject* posted_by_timer_thread(double seconds) {
  sem_init(&posted_by_handler, 0, 0);
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_notify_function = [](sigval) { sem_post(&posted_by_handler); };
  timer_t timer = start_timer(&event, seconds);
  while (sem_wait(&posted_by_handler) != 0) {
  }
  timer_delete(timer);
  return nullptr;
}

struct Word {
  std::atomic<int> futex{0};
  int padding = 0;
  int not_an_owner = 0;  // where a mutex would have its owner's thread id
};

void wait_for(Word& word, int operation) {
  while (word.futex == 0) syscall(SYS_futex, &word.futex, operation, 0, nullptr, nullptr, 0);
}

void wake(Word& word, int operation) {
  word.futex = 1;
  syscall(SYS_futex, &word.futex, operation, 1, nullptr, nullptr, 0);
}

// The caller waits in a futex that is no mutex; where a mutex would name its owner is the caller's own id. A
// thread that sleeps wakes it.
PyObject* futex_like_a_mutex(double seconds) {
  Word word;
  word.not_an_owner = static_cast<int>(syscall(SYS_gettid));
  std::thread waker([&] {
    sleep(seconds);
    wake(word, FUTEX_WAKE_PRIVATE);
  });
  wait_for(word, FUTEX_WAIT_PRIVATE);
  waker.join();
  return nullptr;
}

struct Sleeper {
  Word* word;
  double seconds;
};

// The only thread waits in a private futex; a process that shares all its memory (CLONE_VM) wakes it.
PyObject* woken_by_process_with_same_memory(double seconds) {
  static char stack[65536];
  Word word;
  Sleeper sleeper{&word, seconds};
  auto run = [](void* pointer) {
    auto* order = static_cast<Sleeper*>(pointer);
    timespec nap{static_cast<time_t>(order->seconds), 0};
    nanosleep(&nap, nullptr);
    wake(*order->word, FUTEX_WAKE_PRIVATE);
    syscall(SYS_exit, 0);
    return 0;
  };
  const int child = clone(run, stack + sizeof stack, CLONE_VM | SIGCHLD, &sleeper);
  wait_for(word, FUTEX_WAIT_PRIVATE);
  waitpid(child, nullptr, 0);
  return nullptr;
}

// The caller stands still inside vfork, the GIL held, until its child has ended.
PyObject* vfork_child_sleeps(double seconds) {
  const pid_t child = vfork();
  if (child == 0) {
    timespec nap{static_cast<time_t>(seconds), 0};
    nanosleep(&nap, nullptr);
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  return nullptr;
}

// The only thread waits for a mutex in shared memory, the GIL held; its owner is a child that sleeps.
PyObject* mutex_of_sleeping_child(double seconds) {
  struct Shared {
    pthread_mutex_t guard;
    sem_t owned;
  };
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* shared = static_cast<Shared*>(memory);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->guard, &attributes);
  sem_init(&shared->owned, 1, 0);
  const pid_t child = fork();
  if (child == 0) {
    pthread_mutex_lock(&shared->guard);
    sem_post(&shared->owned);
    sleep(seconds);
    pthread_mutex_unlock(&shared->guard);
    _exit(0);
  }
  while (sem_wait(&shared->owned) != 0) {
  }
  pthread_mutex_lock(&shared->guard);
  pthread_mutex_unlock(&shared->guard);
  waitpid(child, nullptr, 0);
  return nullptr;
}

}  // namespace
