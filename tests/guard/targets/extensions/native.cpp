// Threads that wait for one another and for the GIL, without OpenMP; and threads that only look like it.
//
// `held` is the fault: the caller keeps the GIL while it waits. The fixed twin gives it back first. Where a
// wait depends on who comes first, the two agree on it (`Signal`): each of these hangs every time.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
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
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <utility>
#include <vector>

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

// Wants the GIL, as every callback into Python does.
void count_up() {
  PyGILState_STATE state = PyGILState_Ensure();
  ++counted;
  PyGILState_Release(state);
}

void sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

// Computes for so long and asks nobody for anything.
void compute(double seconds) {
  volatile double sink = 0;
  const auto until = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < until) {
    for (int i = 0; i < 1000; ++i) sink = sink + i;
  }
}

PyObject* result() { return PyLong_FromLong(std::exchange(counted, 0)); }

// ---- The GIL against something else ----

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

// ---- The GIL against its own holder ----

// The caller holds the GIL with one thread state and waits for it with another.
PyObject* second_state(bool held) {
  PyThreadState* first = PyThreadState_Get();
  PyThreadState* second = PyThreadState_New(PyInterpreterState_Main());
  if (!held) PyEval_SaveThread();
  PyEval_AcquireThread(second);
  ++counted;
  PyThreadState_Clear(second);
  PyEval_ReleaseThread(second);
  PyThreadState_Delete(second);
  PyEval_RestoreThread(first);
  return result();
}

// In a sub-interpreter that shares the GIL, PyGILState_Ensure waits for the GIL that this very thread holds:
// it knows the first interpreter's thread state only. Fixed, it is called after the sub-interpreter.
PyObject* ensure_in_subinterpreter(bool held) {
  PyThreadState* first = PyThreadState_Get();
  PyThreadState* inner = Py_NewInterpreter();
  if (held) count_up();
  Py_EndInterpreter(inner);
  PyThreadState_Swap(first);
  count_up();
  return result();
}

#if PY_VERSION_HEX >= 0x030C0000
PyThreadState* new_interpreter_with_own_gil() {
  PyInterpreterConfig config{};
  config.allow_threads = 1;
  config.check_multi_interp_extensions = 1;
  config.gil = PyInterpreterConfig_OWN_GIL;
  PyThreadState* state = nullptr;
  const PyStatus status = Py_NewInterpreterFromConfig(&state, &config);
  if (PyStatus_Exception(status)) Py_ExitStatusException(status);
  return state;
}

// Wants the GIL of an interpreter that has one of its own.
void enter_and_leave(PyInterpreterState* interpreter) {
  PyThreadState* state = PyThreadState_New(interpreter);
  PyEval_RestoreThread(state);
  ++counted;
  PyThreadState_Clear(state);
  PyThreadState_DeleteCurrent();
}

// The caller is in a sub-interpreter with its own GIL and joins a thread that waits for that GIL. The first
// interpreter's GIL is free: its threads run.
PyObject* own_gil_join(bool held) {
  PyThreadState* first = PyThreadState_Get();
  PyThreadState* inner = new_interpreter_with_own_gil();
  std::thread worker(enter_and_leave, PyThreadState_GetInterpreter(inner));
  {
    Released released(held);
    worker.join();
  }
  Py_EndInterpreter(inner);
  PyThreadState_Swap(nullptr);
  PyEval_RestoreThread(first);
  return result();
}

// ALIVE: the caller holds the first GIL and joins a thread that waits for another GIL, whose holder computes
// and then gives it up.
PyObject* own_gil_computes(double seconds) {
  PyThreadState* first = PyThreadState_Get();
  PyThreadState* inner = new_interpreter_with_own_gil();
  PyInterpreterState* interpreter = PyThreadState_GetInterpreter(inner);
  PyThreadState_Swap(first);
  Signal entered;
  std::thread holder([&] {
    PyThreadState* state = PyThreadState_New(interpreter);
    PyEval_RestoreThread(state);
    entered.say();
    compute(seconds);
    ++counted;
    PyThreadState_Clear(state);
    PyThreadState_DeleteCurrent();
  });
  entered.wait();
  std::thread waiter(enter_and_leave, interpreter);
  waiter.join();
  holder.join();
  PyThreadState_Swap(inner);
  Py_EndInterpreter(inner);
  PyThreadState_Swap(nullptr);
  PyEval_RestoreThread(first);
  return result();
}
#else
PyObject* own_gil_join(bool) { return PyErr_Format(PyExc_NotImplementedError, "needs Python 3.12"); }
PyObject* own_gil_computes(double) { return PyErr_Format(PyExc_NotImplementedError, "needs Python 3.12"); }
#endif

// ---- No GIL in it ----

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

// ---- Alive ----

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

// ---- The module ----

PyObject* none_if_null(PyObject* result) {
  if (result == nullptr && PyErr_Occurred() == nullptr) Py_RETURN_NONE;
  return result;
}

template <PyObject* (*function)(bool)>
PyObject* with_flag(PyObject*, PyObject* flag) {
  return none_if_null(function(PyObject_IsTrue(flag) == 1));
}

template <PyObject* (*function)(double)>
PyObject* with_seconds(PyObject*, PyObject* seconds) {
  return none_if_null(function(PyFloat_AsDouble(seconds)));
}

template <PyObject* (*function)(const char*, bool)>
PyObject* with_plugin(PyObject*, PyObject* args) {
  const char* plugin;
  int flag;
  if (!PyArg_ParseTuple(args, "sp", &plugin, &flag)) return nullptr;
  return none_if_null(function(plugin, flag));
}

#define FLAG(name) \
  { #name, with_flag<name>, METH_O, nullptr }
#define SECONDS(name) \
  { #name, with_seconds<name>, METH_O, nullptr }
#define PLUGIN(name) \
  { #name, with_plugin<name>, METH_VARARGS, nullptr }

PyMethodDef methods[] = {
    FLAG(join_pthread),
    FLAG(join_std),
    FLAG(future),
    FLAG(mutex),
    FLAG(rwlock),
    FLAG(condition),
    FLAG(semaphore),
    FLAG(thread_barrier),
    FLAG(static_init),
    FLAG(call_once),
    FLAG(once),
    PLUGIN(loader),
    PLUGIN(loader_join),
    FLAG(second_state),
    FLAG(ensure_in_subinterpreter),
    FLAG(own_gil_join),
    SECONDS(own_gil_computes),
    FLAG(lock_order),
    FLAG(mutex_twice),
    FLAG(condition_unnotified),
    SECONDS(hold_mutex),
    FLAG(use_mutex),
    FLAG(spin_on_flag),
    SECONDS(heartbeat),
    SECONDS(compute_held),
    SECONDS(join_computes),
    SECONDS(mutex_owner_sleeps),
    SECONDS(condition_fulfilled_late),
    SECONDS(static_init_sleeps),
    SECONDS(hand_over),
    SECONDS(completion_queue),
    SECONDS(posted_by_signal),
    SECONDS(posted_by_timer_thread),
    SECONDS(futex_like_a_mutex),
    SECONDS(woken_by_process_with_same_memory),
    SECONDS(vfork_child_sleeps),
    SECONDS(mutex_of_sleeping_child),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "native", nullptr, 0, methods, slots, nullptr, nullptr, nullptr,
};

}  // namespace

// Turns for ever; exported, for ctypes calls it without the GIL.
extern "C" __attribute__((visibility("default"))) void spin_for_ever() { compute(1e9); }

PyMODINIT_FUNC PyInit_native() { return PyModuleDef_Init(&definition); }
