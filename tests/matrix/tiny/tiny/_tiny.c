#include <Python.h>

#if INICONFIG < 2
#error "tiny needs iniconfig 2"
#endif

static PyObject *answer(PyObject *self, PyObject *none) {
    (void)self, (void)none;
    return PyLong_FromLong(42);
}

static PyObject *crash(PyObject *self, PyObject *none) {
    (void)self, (void)none;
    *(volatile int *)0 = 1;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"answer", answer, METH_NOARGS, NULL}, {"crash", crash, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_tiny", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__tiny(void) { return PyModule_Create(&module); }
