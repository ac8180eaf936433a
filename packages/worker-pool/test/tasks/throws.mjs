throw Object.assign(new Error('no licence'), { code: 'E_LICENCE' });
