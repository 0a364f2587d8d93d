// The GIL against OpenMP's barrier, and OpenMP work that only looks like it. Compiled once for each OpenMP
// runtime: MODULE is openmp_gnu or openmp_llvm.
//
// `held` is the fault: the caller keeps the GIL while it waits. The fixed twin gives it back first.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <omp.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "gil.hpp"

namespace {

// The master waits at the barrier for the workers, who wait for the GIL.
PyObject* barrier(PyObject*, PyObject* args) {
  int threads, held;
  if (!PyArg_ParseTuple(args, "ip", &threads, &held)) return nullptr;
  counted = 0;
  {
    Released released(held);
#pragma omp parallel num_threads(threads)
    count_up();
  }
  return PyLong_FromLong(counted);
}

// As above, but the master does not call back: in a sub-interpreter it would wait for the GIL that it holds.
PyObject* barrier_for_workers(PyObject*, PyObject* args) {
  int threads, held;
  if (!PyArg_ParseTuple(args, "ip", &threads, &held)) return nullptr;
  counted = 0;
  {
    Released released(held);
#pragma omp parallel num_threads(threads)
    if (omp_get_thread_num() != 0) count_up();
  }
  return PyLong_FromLong(counted);
}

// As `barrier`, inside a loop: the barrier is the one at the end of the loop, and each thread calls back many
// times.
PyObject* loop(PyObject*, PyObject* args) {
  int threads, held;
  if (!PyArg_ParseTuple(args, "ip", &threads, &held)) return nullptr;
  counted = 0;
  {
    Released released(held);
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
      for (int i = 0; i < 64; ++i) count_up();
    }
  }
  return PyLong_FromLong(counted);
}

// The master waits for a critical section; the worker inside it waits for the GIL.
PyObject* critical(PyObject*, PyObject* args) {
  int threads, held;
  if (!PyArg_ParseTuple(args, "ip", &threads, &held)) return nullptr;
  counted = 0;
  {
    Released released(held);
    std::atomic<bool> inside(false);
#pragma omp parallel num_threads(threads)
    {
      while (omp_get_thread_num() == 0 && !inside) std::this_thread::yield();
#pragma omp critical
      {
        inside = true;
        count_up();
      }
    }
  }
  return PyLong_FromLong(counted);
}

// One region, as short as can be: what makes a runtime start its pool.
PyObject* touch(PyObject*, PyObject* args) {
  int threads;
  if (!PyArg_ParseTuple(args, "i", &threads)) return nullptr;
  long sum = 0;
#pragma omp parallel num_threads(threads) reduction(+ : sum)
  sum += 1;
  return PyLong_FromLong(sum);
}

// ALIVE: the master waits at the barrier, the GIL held, for one worker that computes or sleeps and then
// comes.
PyObject* uneven(PyObject*, PyObject* args) {
  int threads, computes, held;
  double seconds;
  if (!PyArg_ParseTuple(args, "idpp", &threads, &seconds, &computes, &held)) return nullptr;
  long sum = 0;
  {
    Released released(held);
#pragma omp parallel num_threads(threads) reduction(+ : sum)
    {
      if (omp_get_thread_num() == threads - 1) {
        if (computes) {
          compute(seconds);
        } else {
          sleep(seconds);
        }
      }
      sum += 1;
    }
  }
  return PyLong_FromLong(sum);
}

// ALIVE: a team that is called without the GIL and wants it some time later, when the master of another team
// may hold it (`uneven`).
PyObject* late_callbacks(PyObject*, PyObject* args) {
  int threads;
  double seconds;
  if (!PyArg_ParseTuple(args, "id", &threads, &seconds)) return nullptr;
  counted = 0;
  {
    Released released(false);
#pragma omp parallel num_threads(threads)
    {
      sleep(seconds);
      count_up();
    }
  }
  return PyLong_FromLong(counted);
}

// ALIVE: region after region, each of some microseconds, the GIL held or not.
PyObject* many_regions(PyObject*, PyObject* args) {
  int threads, held;
  double seconds;
  if (!PyArg_ParseTuple(args, "idp", &threads, &seconds, &held)) return nullptr;
  long regions = 0, visits = 0;
  {
    Released released(held);
    const auto until = Clock::now() + std::chrono::duration<double>(seconds);
    for (; Clock::now() < until; ++regions) {
#pragma omp parallel num_threads(threads) reduction(+ : visits)
      visits += 1;
    }
  }
  return PyBool_FromLong(regions > 0 && visits == regions * threads);
}

PyMethodDef methods[] = {
    {"barrier", barrier, METH_VARARGS, nullptr},
    {"barrier_for_workers", barrier_for_workers, METH_VARARGS, nullptr},
    {"loop", loop, METH_VARARGS, nullptr},
    {"critical", critical, METH_VARARGS, nullptr},
    {"touch", touch, METH_VARARGS, nullptr},
    {"uneven", uneven, METH_VARARGS, nullptr},
    {"late_callbacks", late_callbacks, METH_VARARGS, nullptr},
    {"many_regions", many_regions, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, nullptr},
};

#define TEXT_(name) #name
#define TEXT(name) TEXT_(name)
#define INIT_(name) PyInit_##name
#define INIT(name) INIT_(name)

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, TEXT(MODULE), nullptr, 0, methods, slots, nullptr, nullptr, nullptr,
};

}  // namespace

PyMODINIT_FUNC INIT(MODULE)() { return PyModuleDef_Init(&definition); }
