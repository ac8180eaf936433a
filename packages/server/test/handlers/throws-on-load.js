throw Object.assign(new Error('loading failed'), { code: 'ERR_OF_MINE' });
